-- The feed, in the order of its ids. Ids are never given twice, also not after the newest post
-- is deleted: SQLite needs AUTOINCREMENT for that, which MySQL can't read, hence the pair.
CREATE TABLE posts (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    user_id INTEGER NOT NULL,
    text TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    CONSTRAINT posts_user FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
);
CREATE INDEX posts_user ON posts (user_id, id);
