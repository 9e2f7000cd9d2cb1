"""What is checked, said and converted while ops run and gradients walk back. No derivative is here.

`inputs` turns what an op is given into arrays, `forms` runs the rule, `modes` has `no_grad` and
`observe`, `arrivals` checks each gradient and adds it to a `.grad`, `hooks` calls what people have
registered, and `complaints` has the texts of the errors.
"""
