def f( a,b = 2 ):
    return {  'one':a, 'two':b }
