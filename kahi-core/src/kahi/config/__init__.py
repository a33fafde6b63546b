"""Configuration: files, models, expansion, errors worth reading, and what a reload changes.

Import from the modules: `kahi ctl` needs some of them, and none that import pydantic.
"""
