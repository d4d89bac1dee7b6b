-- Everything that lists of runs show stands beside the record.

ALTER TABLE runs ADD COLUMN trigger_name text NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN finished_millis bigint;

UPDATE meta SET value = '2' WHERE name = 'layout';
