-- Every statement of the SQLite store. `-- name: x` starts one; the comment under it says what it is for and why it
-- is written so. `-- rows: x, n` starts one that takes many rows of n values at once: they stand where `:rows` is, as
-- a table with the columns column1, column2 ...

-- name: read_epoch
-- Checked in every transaction: a lower one of ours means that someone else took the file.
SELECT epoch FROM shards WHERE shard = 0;

-- name: take_shard
UPDATE shards SET epoch = epoch + 1 WHERE shard = 0;

-- name: read_next_key
SELECT max(last_key, coalesce((SELECT max(key) FROM runs), 0)) + 1 FROM shards WHERE shard = 0;

-- rows: add_runs, 14
INSERT INTO runs SELECT * FROM :rows;

-- rows: change_runs, 7
-- Only what may change.
UPDATE runs
SET status = new.column2, close_time = new.column3, history_length = new.column4, memo = new.column5,
    search_attributes = new.column6, build_id = new.column7
FROM :rows AS new WHERE key = new.column1;

-- rows: add_commits, 2
-- The unique index refuses a commit that is there already: that is half of the optimistic check.
INSERT INTO history (id, records) SELECT * FROM :rows;

-- rows: count_commits, 1
-- The other half: the commit before each must be there too. One look at a page that was just written; measured, it
-- costs a tenth of the insert, and a trigger that does the same costs more than half of it.
SELECT count(*) FROM history WHERE id IN :rows;

-- rows: put_tasks, 7
INSERT OR REPLACE INTO tasks SELECT * FROM :rows;

-- rows: drop_tasks, 2
DELETE FROM tasks WHERE (key, ref) IN :rows;

-- rows: put_timers, 3
INSERT OR IGNORE INTO timers SELECT * FROM :rows;

-- rows: drop_timers, 3
DELETE FROM timers WHERE (due, key, ref) IN :rows;

-- rows: put_attribute_types, 3
-- What is known already stays.
INSERT INTO attribute_types (namespace, name, type) SELECT * FROM :rows AS new WHERE true ON CONFLICT DO NOTHING;

-- rows: drop_attribute_values, 1
DELETE FROM attribute_values WHERE key IN :rows;

-- rows: put_attribute_values, 5
INSERT INTO attribute_values
SELECT types.id, new.column3, new.column4, new.column5 FROM :rows AS new
CROSS JOIN attribute_types AS types ON types.namespace = new.column1 AND types.name = new.column2
    AND types.type > 0;

-- name: list_keys_of_workflow
-- By the index, and above it by looking; as find_any.
SELECT key FROM workflow_ids WHERE hash = ?1
UNION ALL
SELECT key FROM runs NOT INDEXED
WHERE key > (SELECT indexed_key FROM shards WHERE shard = 0) AND namespace = ?2 AND workflow_id = ?3
LIMIT ?4;

-- name: list_attribute_types
SELECT id, namespace, name, type FROM attribute_types ORDER BY namespace, name;

-- name: attribute_values_of_run
SELECT types.name, held.value FROM attribute_values AS held INDEXED BY attribute_values_by_key
CROSS JOIN attribute_types AS types ON types.id = held.attribute
WHERE held.key = ? AND types.type > 0;

-- name: set_attribute_type
-- Its id stays, so that no row of the index ever means another attribute.
INSERT INTO attribute_types (namespace, name, type) VALUES (?, ?, ?)
ON CONFLICT (namespace, name) DO UPDATE SET type = excluded.type;

-- name: clear_attribute
DELETE FROM attribute_values
WHERE attribute = (SELECT id FROM attribute_types WHERE namespace = ? AND name = ?);

-- name: list_attributes_of_runs
SELECT key, start_time, search_attributes FROM runs WHERE namespace = ? AND search_attributes != x'';

-- rows: put_messages, 3
INSERT OR REPLACE INTO messages SELECT * FROM :rows;

-- rows: drop_messages, 2
DELETE FROM messages WHERE (key, ref) IN :rows;

-- rows: put_blobs, 2
-- The digest is of the content, so what is there already is the same.
INSERT OR IGNORE INTO blobs SELECT * FROM :rows;

-- rows: put_blob_refs, 2
INSERT OR IGNORE INTO blob_refs SELECT * FROM :rows;

-- name: read_indexed_key
SELECT indexed_key FROM shards WHERE shard = 0;

-- name: set_indexed_key
UPDATE shards SET indexed_key = ? WHERE shard = 0;

-- name: read_unindexed
-- What an engine that opens the file must learn of the workflow ids that are not in the index yet.
SELECT key, namespace, workflow_id FROM runs WHERE key > ? ORDER BY key;

-- rows: index_workflow_ids, 2
INSERT OR IGNORE INTO workflow_ids SELECT * FROM :rows;

-- name: unindex_workflow_id
DELETE FROM workflow_ids WHERE hash = ? AND key = ?;

-- name: put_filter
INSERT OR REPLACE INTO workflow_id_filter VALUES (?, ?);

-- name: read_filter
SELECT part, bits FROM workflow_id_filter;

-- name: find_indexed
-- Among the indexed keys only; an engine knows the others. An empty run id finds the last started. Looks at the
-- newest few, since it is asked on the engine's thread; more than that is a case for find_any.
SELECT runs.* FROM (SELECT key FROM workflow_ids WHERE hash = :hash ORDER BY key DESC LIMIT :limit) AS known
CROSS JOIN runs ON runs.key = known.key
WHERE runs.namespace = :namespace AND runs.workflow_id = :workflow_id AND (:run_id = '' OR runs.run_id = :run_id)
ORDER BY runs.key DESC LIMIT 1;

-- name: count_indexed
SELECT count(*) FROM (SELECT 1 FROM workflow_ids WHERE hash = ? LIMIT ?);

-- name: find_any
-- For those who do not know the keys above the index and look at each of them, and for long chains of runs.
SELECT * FROM runs NOT INDEXED
WHERE key IN (
    SELECT key FROM workflow_ids WHERE hash = :hash
    UNION ALL
    SELECT key FROM runs NOT INDEXED
    WHERE key > (SELECT indexed_key FROM shards WHERE shard = 0) AND workflow_id = :workflow_id
)
AND namespace = :namespace AND workflow_id = :workflow_id AND (:run_id = '' OR run_id = :run_id)
ORDER BY key DESC LIMIT 1;

-- name: read_run
SELECT * FROM runs WHERE key = ?;

-- name: read_run_and_commits
-- In one statement, which is asked on the engine's thread: each gives way to the writer's, and sees a moment of its own.
-- The run's row is the first, and of the others the second column is a commit's records.
SELECT 0 AS id, runs.* FROM runs WHERE key = ?1
UNION ALL
SELECT id, records, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM history WHERE id BETWEEN ?2 AND ?3
ORDER BY id;

-- rows: read_runs_and_commits, 1
-- The same for some runs. A run's key comes first everywhere, and then 0 for its row or a commit's id.
WITH wanted AS MATERIALIZED (SELECT column1 AS key FROM :rows)
SELECT runs.key AS of_run, 0 AS id, namespace, workflow_id, run_id, workflow_type, task_queue, status, start_time, close_time,
    history_length, memo, search_attributes, parent, build_id
FROM wanted CROSS JOIN runs ON runs.key = wanted.key
UNION ALL
SELECT runs.key, history.id, records, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM wanted CROSS JOIN runs ON runs.key = wanted.key
CROSS JOIN history ON history.id BETWEEN (wanted.key << 23) + 1 AND (wanted.key << 23) + 8388607
ORDER BY of_run, id;

-- name: read_blob
SELECT data FROM blobs WHERE digest = ?;

-- name: list_tasks
SELECT * FROM tasks WHERE (key, ref) > (?, ?) ORDER BY key, ref LIMIT ?;

-- name: list_timers
SELECT due, key, ref FROM timers WHERE due <= ? AND (due, key, ref) > (?, ?, ?) ORDER BY due, key, ref LIMIT ?;

-- name: list_messages
SELECT * FROM messages WHERE (key, ref) > (?, ?) ORDER BY key, ref LIMIT ?;

-- name: list_closed
-- The longest started first. The reader stops where runs started too late to have closed in time, which in a store with
-- retention is soon. So no index over close times is needed.
SELECT key, start_time, close_time FROM runs INDEXED BY runs_by_status WHERE namespace = ? AND status = ?
ORDER BY start_time;

-- name: list_namespaces
SELECT name, retention_ns, description, quota, is_deleted FROM namespaces ORDER BY name;

-- name: put_namespace
INSERT OR REPLACE INTO namespaces (name, retention_ns, description, quota, is_deleted) VALUES (?, ?, ?, ?, ?);

-- name: drop_namespace
DELETE FROM namespaces WHERE name = ?;

-- name: drop_attribute_types_of
-- What runs are found by names its type; a child of a run elsewhere may have come while the last one went.
DELETE FROM attribute_types
WHERE namespace = ? AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.namespace = attribute_types.namespace);

-- name: drop_task_queues_of
DELETE FROM task_queues WHERE namespace = ?;

-- name: list_task_queues
SELECT settings FROM task_queues ORDER BY namespace, name;

-- name: put_task_queue
INSERT OR REPLACE INTO task_queues VALUES (?, ?, ?);

-- name: list_documents
SELECT key, data FROM documents WHERE kind = ? ORDER BY key;

-- name: put_document
INSERT OR REPLACE INTO documents VALUES (?, ?, ?);

-- name: drop_document
DELETE FROM documents WHERE kind = ? AND key = ?;

-- name: keep_last_key
-- Deleting the newest runs must not free their keys.
UPDATE shards SET last_key = max(last_key, ?) WHERE shard = 0;

-- rows: read_runs, 1
SELECT * FROM runs WHERE key IN :rows;

-- rows: delete_runs, 1
DELETE FROM runs WHERE key IN :rows;

-- rows: delete_commits, 1
-- 23 bits of a history row's id are the number.
DELETE FROM history WHERE id IN (
    SELECT id FROM :rows AS gone CROSS JOIN history
    ON history.id BETWEEN gone.column1 << 23 AND (gone.column1 << 23) + 8388607
);

-- rows: delete_tasks, 1
DELETE FROM tasks WHERE key IN :rows;

-- rows: delete_timers, 1
DELETE FROM timers WHERE key IN :rows;

-- rows: delete_messages, 1
DELETE FROM messages WHERE key IN :rows;

-- rows: read_blob_refs, 1
SELECT DISTINCT digest FROM blob_refs WHERE key IN :rows;

-- rows: delete_blob_refs, 1
DELETE FROM blob_refs WHERE key IN :rows;

-- rows: delete_blobs, 1
-- After the references are gone.
DELETE FROM blobs WHERE digest IN :rows AND NOT EXISTS (SELECT 1 FROM blob_refs WHERE blob_refs.digest = blobs.digest);

-- name: check_file
PRAGMA integrity_check;

-- name: count_runs
SELECT count(*) FROM runs;

-- name: list_keys
SELECT key FROM runs WHERE key > ? ORDER BY key LIMIT 1000;

-- name: list_stray_keys
-- Keys of rows that belong to no run.
SELECT id >> 23 AS key FROM history WHERE NOT EXISTS (SELECT 1 FROM runs WHERE runs.key = history.id >> 23)
UNION SELECT key FROM tasks WHERE NOT EXISTS (SELECT 1 FROM runs WHERE runs.key = tasks.key)
UNION SELECT key FROM timers WHERE NOT EXISTS (SELECT 1 FROM runs WHERE runs.key = timers.key)
UNION SELECT key FROM messages WHERE NOT EXISTS (SELECT 1 FROM runs WHERE runs.key = messages.key)
UNION SELECT key FROM blob_refs WHERE NOT EXISTS (SELECT 1 FROM runs WHERE runs.key = blob_refs.key)
UNION SELECT key FROM attribute_values WHERE NOT EXISTS (SELECT 1 FROM runs WHERE runs.key = attribute_values.key)
ORDER BY key;

-- name: numbered_commits
SELECT id & 8388607, records FROM history WHERE id BETWEEN ? AND ? ORDER BY id;

-- name: tasks_of_run
SELECT * FROM tasks WHERE key = ? ORDER BY ref;

-- name: timers_of_run
SELECT due, key, ref FROM timers WHERE key = ? ORDER BY due, ref;

-- name: messages_of_run
SELECT * FROM messages WHERE key = ? ORDER BY ref;

-- name: blobs_of_run
SELECT digest FROM blob_refs WHERE key = ? ORDER BY digest;

-- name: count_blobs_without_run
SELECT count(*) FROM blobs WHERE NOT EXISTS (SELECT 1 FROM blob_refs WHERE blob_refs.digest = blobs.digest);

-- name: count_refs_without_blob
SELECT count(DISTINCT digest) FROM blob_refs WHERE NOT EXISTS (SELECT 1 FROM blobs WHERE blobs.digest = blob_refs.digest);

-- name: count_unindexed_runs
-- workflow_hash is ours.
SELECT count(*) FROM runs
WHERE key <= (SELECT indexed_key FROM shards WHERE shard = 0) AND NOT EXISTS (
    SELECT 1 FROM workflow_ids WHERE hash = workflow_hash(runs.namespace, runs.workflow_id) AND workflow_ids.key = runs.key
);

-- name: count_index_without_run
SELECT count(*) FROM workflow_ids WHERE NOT EXISTS (SELECT 1 FROM runs WHERE runs.key = workflow_ids.key);

-- name: figure_runs
-- One pass over all runs; there are few kinds.
SELECT namespace, status, workflow_type, build_id, count(*), min(start_time) FROM runs
GROUP BY namespace, status, workflow_type, build_id
ORDER BY namespace, status, workflow_type, build_id;

-- name: figure_started_days
SELECT start_time / :day * :day, count(*) FROM runs WHERE start_time >= :first GROUP BY 1;

-- name: figure_closed_days
SELECT close_time / :day * :day, count(*) FROM runs WHERE close_time >= :first GROUP BY 1;

-- name: figure_tasks
SELECT task_queue, type, ref = 0, sum(started), sum(NOT started), min(CASE WHEN NOT started THEN key END)
FROM tasks GROUP BY task_queue, type, ref = 0 ORDER BY 1, 3 DESC, 2;

-- name: figure_timers
SELECT count(*), min(due) FROM timers;

-- name: count_messages
SELECT count(*) FROM messages;

-- name: figure_blobs
SELECT count(*), coalesce(sum(length(data)), 0) FROM blobs;

-- name: page_size
PRAGMA page_size;

-- name: page_count
PRAGMA page_count;

-- name: free_pages
PRAGMA freelist_count;
