"""The generated parts of the documents, one module for each kind of page."""
