-- A conversation. `pair_key` ("lower id:higher id") stands only on chats of two people, or of one
-- with themselves, and makes those unique, whoever starts it and however many start it at once.
CREATE TABLE chats (
    id INTEGER NOT NULL PRIMARY KEY /*! AUTO_INCREMENT */,
    pair_key VARCHAR(48) NULL,
    created_at BIGINT NOT NULL,
    CONSTRAINT chats_pair_key UNIQUE (pair_key)
) /*! ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin */;
