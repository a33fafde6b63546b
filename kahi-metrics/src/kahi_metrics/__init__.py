"""Prometheus metrics of the Kahi process supervisor."""
