"""stub"""
from rich.text import Text
def annotated(cuts): return "\n".join(f"{l.place.line} {l.why}" for l in cuts.between)
def annotated_text(cuts, width): return Text(annotated(cuts))
