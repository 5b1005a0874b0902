-- What an account may do.
CREATE TABLE permissions (
    account INTEGER NOT NULL REFERENCES accounts (id),
    permission TEXT NOT NULL,
    PRIMARY KEY (account, permission)
) STRICT, WITHOUT ROWID;

-- The sessions that have not been ended. An id alone opens nothing: the cookie is signed.
CREATE TABLE sessions (
    id TEXT NOT NULL PRIMARY KEY,
    account INTEGER NOT NULL REFERENCES accounts (id),
    -- Unix seconds.
    expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX sessions_by_expiry ON sessions (expires);
