-- Who has ever logged in. The id is ours and is never given out again.
CREATE TABLE accounts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    provider TEXT NOT NULL,
    subject TEXT NOT NULL,
    -- For display alone: names change, and two people can have the same.
    name TEXT NOT NULL,
    UNIQUE (provider, subject)
) STRICT;
