# A pkgutil-style namespace: other ``beat.*`` distributions may live beside this one.
__path__ = __import__("pkgutil").extend_path(__path__, __name__)
