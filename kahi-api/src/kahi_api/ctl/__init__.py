"""`kahi ctl`: operate a running daemon. Imports nothing that a single command does not need."""
