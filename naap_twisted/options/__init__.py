"""One description of every option, from which both doors, ``check`` and documents are made.

``values`` and its like say what kinds of values there are, ``option`` what is said of an option;
``server``, ``auth`` and ``route`` list them. ``read`` reads a file's tables and ``code`` keywords,
``rules`` and ``judge`` look at options beside one another, ``reference`` writes it all down.
"""
