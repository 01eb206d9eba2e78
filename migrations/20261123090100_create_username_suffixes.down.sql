DROP TABLE username_suffixes;
