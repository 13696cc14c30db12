-- All labels of a row, each once, from lists of them.
list_distinct(flatten([${lists}]))
