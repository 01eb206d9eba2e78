-- Every ending of every username_key, so that "the name contains this text" is a range in this
-- table's key instead of a scan of all users, with the same meaning on every database.
CREATE TABLE username_suffixes (
    suffix VARCHAR(96) NOT NULL,
    user_id INTEGER NOT NULL,
    PRIMARY KEY (suffix, user_id),
    CONSTRAINT username_suffixes_user FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
) /*! ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin */;
CREATE INDEX username_suffixes_user ON username_suffixes (user_id);
