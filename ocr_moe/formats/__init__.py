"""Files as they are: written in one step, YAML with sentences for its errors, workbooks."""
