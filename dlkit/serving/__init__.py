"""How is a finished run asked over HTTP? TensorFlow Serving's REST paths, and a page for a person.

Never imports TensorFlow or Keras. The web packages (`pip install 'dlkit[serve]'`) are imported at use.
"""

from dlkit.serving.server import DEFAULT_HOST, DEFAULT_PORT, application, serve

__all__ = ["DEFAULT_HOST", "DEFAULT_PORT", "application", "serve"]
