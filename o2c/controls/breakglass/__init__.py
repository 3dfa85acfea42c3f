"""Emergency access: two people open it, for named duties and at most four hours; a third reviews it."""
