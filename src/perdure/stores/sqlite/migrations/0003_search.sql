-- Search: what runs are found by. Only runs with search attributes have rows here; the others cost nothing.

-- The custom attributes of each namespace; type is a number of model.search.AttributeType.
CREATE TABLE attribute_types (
    id INTEGER PRIMARY KEY,
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    type INTEGER NOT NULL,
    UNIQUE (namespace, name)
);

-- One row per value; of a list per element, of a text per word. start_time is the run's, which never changes: so the
-- runs with one value lie in the order in which they are listed, and the first page needs no sorting, however many
-- there are.
CREATE TABLE attribute_values (
    attribute INTEGER NOT NULL,
    value NOT NULL,
    start_time INTEGER NOT NULL,
    key INTEGER NOT NULL,
    PRIMARY KEY (attribute, value, start_time, key)
) WITHOUT ROWID;
-- Finds the value that a given run has, and all of them when they change.
CREATE INDEX attribute_values_by_key ON attribute_values (key, attribute);

-- The code that took the run's last turn.
ALTER TABLE runs ADD COLUMN build_id TEXT NOT NULL DEFAULT '';

-- Lists of a status in the order of their start; retention's search in that order, too.
DROP INDEX runs_by_status;
CREATE INDEX runs_by_status ON runs (namespace, status, start_time);

-- What is there already. These functions are ours, see fill.py: a run's attributes as JSON, [name, type, [entry, ...]]
-- each, those of a type that the namespace's attribute has not got left out; and the build that a commit's last turn
-- was taken by.
INSERT INTO attribute_types (namespace, name, type)
SELECT namespace, json_extract(value, '$[0]'), json_extract(value, '$[1]')
FROM (
    SELECT runs.key, runs.namespace, attribute.value
    FROM runs CROSS JOIN json_each(suggested_types(runs.search_attributes)) AS attribute
    WHERE runs.search_attributes != x''
    ORDER BY runs.key
)
WHERE true ON CONFLICT DO NOTHING;

INSERT OR IGNORE INTO attribute_values
SELECT types.id, json_extract(entry.value, '$[1]'), runs.start_time, runs.key
FROM runs
CROSS JOIN json_each(found_by(runs.search_attributes, (
    SELECT json_group_object(name, type) FROM attribute_types WHERE namespace = runs.namespace
))) AS entry
CROSS JOIN attribute_types AS types ON types.namespace = runs.namespace AND types.name = json_extract(entry.value, '$[0]')
WHERE runs.search_attributes != x'';

UPDATE runs SET build_id = coalesce((
    SELECT build_of(records) FROM history
    WHERE id BETWEEN runs.key << 23 AND (runs.key << 23) + 8388607 AND build_of(records) IS NOT NULL
    ORDER BY id DESC LIMIT 1
), '');
