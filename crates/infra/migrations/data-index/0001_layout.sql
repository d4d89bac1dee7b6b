-- What the files of data say, so that searches need not read all of them (design/data.md). It can be deleted at any time.

CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- `generation` counts the transactions that have written; `removal` is the last of them that has removed something.
INSERT INTO meta (name, value) VALUES ('layout', '1'), ('generation', '0'), ('removal', '0');

-- Models, all of whose items are in `items`. `evidence` is what that rests on.
CREATE TABLE models (
    id         TEXT PRIMARY KEY,
    evidence   BLOB NOT NULL,
    generation INTEGER NOT NULL
) STRICT;

-- Items, all of whose versions are in `versions`. `sides` says in which places an item has a directory.
CREATE TABLE items (
    id         INTEGER PRIMARY KEY,
    model      TEXT NOT NULL,
    name       TEXT NOT NULL,
    sides      INTEGER NOT NULL,
    evidence   BLOB NOT NULL,
    generation INTEGER NOT NULL,
    UNIQUE (model, name)
) STRICT;

CREATE INDEX items_generation ON items (generation);

-- `rank` counts from 0, which is the newest. The columns before `handle`, which is all that is known of a version, are those
-- that searches ask for. `tags` is an object, in which of several tags of one name the last one stands.
CREATE TABLE versions (
    item         INTEGER NOT NULL REFERENCES items (id) ON DELETE CASCADE,
    rank         INTEGER NOT NULL,
    is_latest    INTEGER NOT NULL,
    is_gone      INTEGER NOT NULL,
    place        INTEGER NOT NULL,
    path         TEXT NOT NULL,
    model_name   TEXT NOT NULL,
    model_type   TEXT NOT NULL,
    spec_name    TEXT NOT NULL,
    workflow_run TEXT NOT NULL,
    step_name    TEXT NOT NULL,
    tags         TEXT NOT NULL,
    handle       BLOB NOT NULL,
    PRIMARY KEY (item, rank)
) STRICT;

CREATE INDEX versions_model_name ON versions (model_name);
CREATE INDEX versions_workflow_run ON versions (workflow_run);
