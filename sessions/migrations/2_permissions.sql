-- What an account may do.
CREATE TABLE permissions (
    account BIGINT NOT NULL REFERENCES accounts (id),
    permission TEXT NOT NULL,
    PRIMARY KEY (account, permission)
);

-- One row: whoever revokes a permission holds it until the end of the transaction.
CREATE TABLE revoking (turn BIGINT NOT NULL);
INSERT INTO revoking (turn) VALUES (0);

-- The sessions that have not been ended. An id alone opens nothing: the cookie is signed.
CREATE TABLE sessions (
    id TEXT NOT NULL PRIMARY KEY,
    account BIGINT NOT NULL REFERENCES accounts (id),
    -- Unix seconds.
    expires BIGINT NOT NULL
);

CREATE INDEX sessions_by_expiry ON sessions (expires);
