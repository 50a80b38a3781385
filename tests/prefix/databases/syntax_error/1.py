class View
    pass
