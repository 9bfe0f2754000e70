"""
Words that say nothing about what a question is about.

English is complete; of other languages the words that questions begin with, articles and pronouns are here. What is
missing does little harm: a word that stands in most chunks hardly counts.
"""

from __future__ import annotations

from typing import Final

__all__ = ["CJK_FUNCTION", "GENERIC", "STOP"]

_ENGLISH: Final = """
a about above after again against ain all also am an and any anybody anyone anything are aren as at be because been
before being below best between both but by can cannot could couldn d day did didn do does doesn doing don down during
each either else ever every everything few for from further give good great had hadn has hasn have haven having he
hello help her here hers herself hey hi him himself his how however i if in into is isn it its itself just kindly let
ll m may me might mightn more most much must mustn my myself need needn no nor not now o of off ok okay on once one
only or other ought our ours ourselves out over own please re really s same shall shan she should shouldn so some
somebody someone something such t than thank thanks that the their theirs them themselves then there these they thing
things this those through time times to today tomorrow too under until up us ve very was wasn way we well were weren
what when where whether which while who whom whose why will with won would wouldn y yes yesterday yet you your yours
yourself yourselves cant dont doesnt didnt isnt wont whats hows im ive
"""
_GERMAN: Final = """
aber als am an auf aus bei bin bist da das dass dein dem den der des die dies diese dieser dieses doch du ein eine
einem einen einer eines er es für geht gibt habe haben hat ich ihr im in ist ja kann kein keine lang lange man mein
mich mir mit muss nach nicht noch nur oder ohne sein sich sie sind so über um und uns unser viel viele vom von vor
wann war warum was welche welcher welches wenn wer werden wie wieso wir wird wo worden zu zum zur
"""
_FRENCH: Final = """
au aux avec ce ces cette comment dans de des du elle elles en est et être eux faire fait il ils je la le les leur lui
ma mais me mes moi mon ne nos notre nous on ou où par pas pour pourquoi puis-je quand que quel quelle quelles quels
qui quoi sa se ses son sont sur ta te tes toi ton tu un une vos votre vous
"""
_SPANISH: Final = """
al cómo con cuál cuáles cuándo cuánto de del dónde el ella ellas ellos en entre es esa ese eso esta está este esto hay
la las le les lo los me mi mis muy no nos nosotros o para pero por porque puedo que qué quién se ser si sin sobre son
su sus te tiene tu tus un una uno unos unas y yo
"""
_OTHERS: Final = """
che chi come cosa dei della delle di dove è gli il io nel nella non per perché più quale quando quanto sono una as com
como da dos ela ele em eu isso mais não nas no nos onde os ou para pelo porque qual quais quando que são uma você dan
dat een en het hoe ik in is je kan met niet om op te van voor waar waarom wat welke wie zijn
"""
_GENERIC: Final = """
add allow ask begin build call cause change check choose chosen configure create define describe detail details
difference disable do enable example examples exist explain find get go handle happen happens information know learn
like list long look make many mean means new possible purpose question read set setup show start state stop supported
tell understand use used uses using want work working works write ändern einstellen erklären funktioniert machen
verwenden ajouter changer expliquer faire fonctionne utiliser cambiar configurar explicar funciona hacer usar
"""

STOP: Final = frozenset(" ".join((_ENGLISH, _GERMAN, _FRENCH, _SPANISH, _OTHERS)).split())
"""Dropped from a question, in lower case."""

GENERIC: Final = frozenset(_GENERIC.split())
"""Words that documents say in many ways; a question is hardly about them."""

CJK_FUNCTION: Final = (
    *("为什么", "什么", "怎么样", "怎么", "如何", "哪里", "哪些", "哪个", "多少", "是否", "可以", "我们", "你们"),
    *("的", "了", "吗", "呢", "是", "在", "和", "与", "我", "你"),
)
"""Chinese words that join others; a question is cut at them."""
