"""`crosscheck walk`: the data of one page in which a reader walks back from the loss to the input.

`schema.py` says what the page gets. `ours.py` makes it of our own model, `brought.py` of any model
that `compare` takes, and `write.py` puts it into one file with the page.
"""
