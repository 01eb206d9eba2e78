-- People. `username` and `email` are kept as typed, the `_key` columns hold them normalised
-- (NFKC, lower case) and carry the uniqueness, so that no database's collation decides it.
-- Instants are microseconds since 1970-01-01T00:00:00Z, as everywhere in this schema.
CREATE TABLE users (
    id INTEGER NOT NULL PRIMARY KEY /*! AUTO_INCREMENT */,
    username VARCHAR(32) NOT NULL,
    username_key VARCHAR(96) NOT NULL,
    email VARCHAR(254) NOT NULL,
    email_key VARCHAR(254) NOT NULL,
    password_hash VARCHAR(255) NOT NULL,
    avatar VARCHAR(64) NULL,
    created_at BIGINT NOT NULL,
    CONSTRAINT users_username_key UNIQUE (username_key),
    CONSTRAINT users_email_key UNIQUE (email_key)
) /*! ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin */;
