"""REST and SSE API, client library and `kahi ctl` for the Kahi process supervisor."""
