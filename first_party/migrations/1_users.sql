-- Who may log in.
CREATE TABLE users (
    -- The `sub` of the tokens. Do not give a name to another person: tokens of the first may be alive.
    username TEXT NOT NULL PRIMARY KEY CHECK (username NOT LIKE 'client:%'),
    email TEXT NOT NULL,
    full_name TEXT NOT NULL,
    -- Argon2id; salt and parameters are in it (PHC string format).
    password_hash TEXT NOT NULL,
    -- What a token of this user may open: scopes, separated by spaces.
    scopes TEXT NOT NULL DEFAULT '',
    disabled BIGINT NOT NULL DEFAULT 0 CHECK (disabled IN (0, 1))
);

CREATE TABLE items (
    item_id TEXT NOT NULL,
    owner TEXT NOT NULL REFERENCES users (username) ON DELETE CASCADE,
    PRIMARY KEY (owner, item_id)
);
