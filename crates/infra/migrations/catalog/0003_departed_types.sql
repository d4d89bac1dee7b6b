-- What a deleted row was the source of, so that somebody who asks for the type can be told.

ALTER TABLE departed ADD COLUMN kind TEXT;
ALTER TABLE departed ADD COLUMN type_name TEXT;

UPDATE meta SET value = '3' WHERE name = 'layout';
