"""What is checked, said and converted while ops run and gradients walk back. No derivative is here.

`inputs` turns what an op is given into arrays, `forms` runs the rule, `modes` has `no_grad` and
`observe`, `contract` checks what a backward pass is given and what each rule returns, `arrivals`
shows gradients to hooks and adds them to a `.grad`, `hooks` calls what people have registered, and
`complaints` has the texts of the errors.
"""
