-- What the server remembers once somebody has logged in. Session ids, codes and refresh tokens are
-- kept as SHA-256 hashes: a copy of this database opens nothing. Times are Unix seconds.

CREATE TABLE authorization_sessions (
    id_hash TEXT NOT NULL PRIMARY KEY,
    subject TEXT NOT NULL REFERENCES users (username) ON DELETE CASCADE,
    -- When the password was asked for.
    auth_time BIGINT NOT NULL,
    expires BIGINT NOT NULL
);

-- What a user allowed a confidential client, one scope a row.
CREATE TABLE authorization_consents (
    subject TEXT NOT NULL REFERENCES users (username) ON DELETE CASCADE,
    client_id TEXT NOT NULL,
    scope TEXT NOT NULL,
    expires BIGINT NOT NULL,
    PRIMARY KEY (subject, client_id, scope)
);

-- What one authorization request was granted: its code, and everything that comes from the code.
-- To revoke all of that is to delete the row.
CREATE TABLE authorization_grants (
    -- Begins the `jti` of its access tokens.
    grant_id TEXT NOT NULL PRIMARY KEY,
    subject TEXT NOT NULL REFERENCES users (username) ON DELETE CASCADE,
    client_id TEXT NOT NULL,
    scope TEXT NOT NULL,
    -- The audiences that its tokens may have, separated by spaces.
    resources TEXT NOT NULL,
    auth_time BIGINT NOT NULL,
    -- The end of the last token that comes from it.
    expires BIGINT NOT NULL,
    -- The code, and what it is bound to.
    code_hash TEXT NOT NULL UNIQUE,
    code_expires BIGINT NOT NULL,
    redeemed BIGINT NOT NULL DEFAULT 0,
    session_hash TEXT NOT NULL,
    redirect_uri TEXT NOT NULL,
    code_challenge TEXT NOT NULL,
    nonce TEXT
);

CREATE TABLE authorization_refresh_tokens (
    token_hash TEXT NOT NULL PRIMARY KEY,
    grant_id TEXT NOT NULL REFERENCES authorization_grants (grant_id) ON DELETE CASCADE,
    expires BIGINT NOT NULL,
    -- A used one stays: whoever brings it a second time ends the whole family.
    used BIGINT NOT NULL DEFAULT 0
);

-- Access tokens that were revoked before their time.
CREATE TABLE authorization_revoked_tokens (
    jti TEXT NOT NULL PRIMARY KEY,
    expires BIGINT NOT NULL
);

CREATE INDEX authorization_sessions_of_a_user ON authorization_sessions (subject);
CREATE INDEX authorization_grants_of_a_user ON authorization_grants (subject, client_id);
CREATE INDEX authorization_refresh_tokens_of_a_grant ON authorization_refresh_tokens (grant_id);
