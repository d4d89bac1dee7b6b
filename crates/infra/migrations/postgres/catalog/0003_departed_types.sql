-- What a deleted row was the source of, so that somebody who asks for the type can be told.

ALTER TABLE departed ADD COLUMN kind text COLLATE "C";
ALTER TABLE departed ADD COLUMN type_name text COLLATE "C";

CREATE INDEX departed_type ON departed (kind, type_name);

UPDATE meta SET value = '3' WHERE name = 'layout';
