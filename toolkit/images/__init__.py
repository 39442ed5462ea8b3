"""OCI images of chain functions, made without a daemon: read a base, add the layers of one chain, write or push it.

May live here: the image format (layouts, archives, registries), what of a chain and of the toolkit goes into an image,
and the run of pip that fetches its libraries. May not: what a chain.yaml means (`spec`), where chains lie (`catalog`),
how an image is run (`manifests`, `engines`). The same input gives the same bytes, whatever the clock, the user, the
folder or the umask: nothing here writes a time, a name or an order that the input does not decide.

    with images.building(order) as image:
        layout.write(image, folder)
"""
