import json
from pathlib import Path

import jinja2  # one of cookiecutter's packages: a hook runs in its environment

{% if cookiecutter.licence == "none" %}
Path("LICENSE").unlink()
{% endif %}
Path("made.json").write_text(json.dumps({"slug": "{{ cookiecutter.slug }}", "jinja": jinja2.__name__}))
print("post_gen_project has run")
