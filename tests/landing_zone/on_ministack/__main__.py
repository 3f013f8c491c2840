"""Start the engine's server."""

import gc

gc.disable()  # Python would look for garbage all the time among the hundreds of modules that are imported, which stay

from landing_zone.on_ministack import server  # noqa: E402

server.main()
