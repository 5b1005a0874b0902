-- Who has ever logged in. The id is ours and is never given out again.
CREATE TABLE accounts (
    id BIGINT NOT NULL PRIMARY KEY,
    provider TEXT NOT NULL,
    subject TEXT NOT NULL,
    -- For display alone: names change, and two people can have the same.
    name TEXT NOT NULL,
    UNIQUE (provider, subject)
);

-- One row: the last id that was given out.
CREATE TABLE last_account (id BIGINT NOT NULL);
INSERT INTO last_account (id) VALUES (0);
