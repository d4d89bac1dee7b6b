-- Records of rows hold what was accepted of the bundles that pulled extensions ship (design/decisions/0006). No table
-- changes; the layout keeps the numbers of SQLite.

UPDATE meta SET value = '2' WHERE name = 'layout';
