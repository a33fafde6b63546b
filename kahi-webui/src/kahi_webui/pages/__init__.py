"""One module for each page: what it shows, and its routes."""
