"""The words in the pictures and tables of the study, in the languages of its chapters.

English stands where it is used. Here is what it is called in the other language.
"""

from __future__ import annotations

from collections.abc import Callable

from crosscheck.choices import LANGUAGES

Words = Callable[[str], str]  # English in, the language out; fields such as {depth} stay

ENGLISH, PORTUGUESE = LANGUAGES
TRANSLATIONS = {
    PORTUGUESE: {
        "wiring": "arranjo",
        "pre-norm, residual": "pre-norm, com residual",
        "post-norm, residual": "post-norm, com residual",
        "no norm, residual": "sem norm, com residual",
        "pre-norm, no residual": "pre-norm, sem residual",
        "post-norm, no residual": "post-norm, sem residual",
        "no norm, no residual": "sem norm, sem residual",
        "PyTorch's default": "padrão do PyTorch",
        "Xavier": "Xavier",
        "GPT-2, scaled": "GPT-2, ramos reduzidos",
        "Kaiming": "Kaiming",
        "layer (0 is the input)": "camada (0 é a entrada)",
        "blocks in the stack": "blocos na pilha",
        "gradient, relative to the output's": "gradiente, relativo ao da saída",
        "gradient, input over output": "gradiente na entrada / gradiente na saída",
        "|X - mean over tokens| / |X|": "|X - média dos tokens| / |X|",
        "norm of the gradient": "norma do gradiente",
        "Gradients of the first of {depth} blocks ({initialisation}, one seed)": (
            "Gradientes do primeiro de {depth} blocos ({initialisation}, uma semente)"
        ),
        "channel": "canal",
        "position": "posição",
        "The waves": "As ondas",
        "Products of positions, over C / 2": "Produtos das posições, divididos por C / 2",
        "channels {first}, {second}": "canais {first} e {second}",
        "Pairs as hands, positions 0 to {last}": "Pares como ponteiros, posições 0 a {last}",
    }
}


def words(language: str) -> Words:
    """Return what says an English label in a language; it raises KeyError for an unknown one."""
    return str if language == ENGLISH else TRANSLATIONS[language].__getitem__
