"""charrnn trains recurrent character models and embedding models, and makes them useful."""

__version__ = "0.1.0"
