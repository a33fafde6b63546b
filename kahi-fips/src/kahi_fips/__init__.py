"""FIPS mode for the Kahi process supervisor."""
