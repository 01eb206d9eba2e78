DROP INDEX posts_sender_key /*! ON posts */;
