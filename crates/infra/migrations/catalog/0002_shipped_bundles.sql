-- Records of rows hold what was accepted of the bundles that pulled extensions ship (design/decisions/0006). No table
-- changes: a record carries its own format, and those of before are read as rows that accepted nothing. The layout moves
-- all the same, so that an earlier version refuses the file instead of writing rows that have forgotten it.

UPDATE meta SET value = '2' WHERE name = 'layout';
