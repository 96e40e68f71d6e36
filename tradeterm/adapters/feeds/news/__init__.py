"""Headlines from outside: RSS and Atom files or addresses, and folders of text files."""
