"""Where tables, models and reports live. Assets never look in here: resources do."""
