-- Two users to try it with; leave them out of your own. Everybody knows their passwords, `secret123`
-- and `password456`, so that with them the server starts for this machine alone.
INSERT INTO users (username, email, full_name, password_hash, scopes, disabled) VALUES
    ('johndoe', 'johndoe@example.com', 'John Doe',
     '$argon2id$v=19$m=19456,t=2,p=1$0Z1I0lVcr01SRwI06M3WWg$8AFY6XsGu/5fbSzeR05M5itGaSChVoj12aGZIFrbUVM',
     'some.scope third.scope', 0),
    ('alice', 'alice@example.com', 'Alice Johnson',
     '$argon2id$v=19$m=19456,t=2,p=1$P9GhXwHc9Is08+HxnVm24w$5OeLTVK/H9g/I6nK9Fx09D7Q8sGHuDi4Um+wBHcxYPg',
     'some.scope other.scope', 1);

INSERT INTO items (item_id, owner) VALUES ('Foo', 'johndoe'), ('Bar', 'alice');
