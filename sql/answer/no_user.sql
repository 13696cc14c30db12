-- A list is for nobody of the users.
NULL
