"""Static files as Placet serves them, looked for once in a process.

Every test client makes its own chain of middleware; walking through all folders of static files
would cost each of them ten times what a page costs.
"""

from __future__ import annotations

from typing import Any, ClassVar

from servestatic.middleware import ServeStaticMiddleware


class StaticFilesFoundOnce(ServeStaticMiddleware):
    """Placet's static files; what the first chain found is what all later ones serve."""

    _found: ClassVar[tuple[dict[str, Any], list[Any]] | None] = None

    def add_files_from_finders(self) -> None:
        if self._found is None:
            super().add_files_from_finders()
            type(self)._found = (dict(self.files), list(self.directories))
            return
        files, directories = self._found
        self.files.update(files)
        self.directories.extend(directories)
