"""Doctor: proves that what is stored agrees, mends it, and says which settings of the server endanger it.

`examine` asks the function `read`, `repair` the function `repair`; both are generators of questions. Lease
records and the requests of sessions are the truth; everything else is built anew from them. Nothing talks to a server.
"""

from semaphores.doctor.examine import examine
from semaphores.doctor.finding import Finding, Mended
from semaphores.doctor.repair import repair
from semaphores.doctor.server import ask_server, examine_libraries, examine_server

__all__ = ["Finding", "Mended", "ask_server", "examine", "examine_libraries", "examine_server", "repair"]
