-- Limits and pauses of task queues, and where each task stands in its queue's backlog. Both are MessagePack.
CREATE TABLE task_queues (
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    settings BLOB NOT NULL,
    PRIMARY KEY (namespace, name)
) WITHOUT ROWID;

ALTER TABLE tasks ADD COLUMN placement BLOB;
