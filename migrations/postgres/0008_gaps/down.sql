DROP TABLE feed_gap;
