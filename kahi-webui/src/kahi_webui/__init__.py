"""Web page of the Kahi process supervisor."""
